-- The incidents whose facts must be made again.
insert into changed
select distinct
    $source as source,
    incident_id
from (
    -- The same content in a newer export is no change.
    select incident_id from replacing where is_change
    union all
    select incident_id from staged_snapshots
    union all
    select versions.incident_id
    from store.versions as versions
    semi join fresh_events
        on versions.source = $source
        and versions.incident_id = fresh_events.incident_key
    union all
    select versions.incident_id
    from store.versions as versions
    semi join fresh_events
        on versions.source = $source
        and versions.external_id = fresh_events.incident_key
);

-- What an input added to the source's history; the sums tell a history from sampled lists.
create or replace temp table touched as
select distinct incident_id
from staged_snapshots;

insert into store.extents
select
    $source as source,
    sum("rows" - rows_before) as "rows",
    sum(span - span_before) as span
from (
    select
        count(*) as "rows",
        count(*) filter (where was_there) as rows_before,
        max(version_number) + 1 as span,
        coalesce(max(version_number) filter (where was_there) + 1, 0) as span_before
    from (
        select
            incident_id,
            version_number,
            bool_or(was_there) as was_there
        from (
            select
                incident_id,
                version_number,
                false as was_there
            from staged_snapshots
            union all
            select
                snapshots.incident_id,
                snapshots.version_number,
                true as was_there
            from store.snapshots as snapshots
            semi join touched
                on snapshots.source = $source
                and snapshots.incident_id = touched.incident_id
            where snapshots.rowid <= getvariable('last_snapshot')
        )
        group by
            incident_id,
            version_number
    )
    group by incident_id
)
having count(*) > 0;
