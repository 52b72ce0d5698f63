-- One row per member and minute since opening: how many of the incidents opened left then, or were last seen open.
with opened as (
    select
        i.source,
        i.incident_id,
        i.opened_at,
        i.resolved_at,
        i.closed_at,
        i.updated_at,
        i.excluded_as,
        i.resolution_basis,
        i.deleted_at_source,
        i.seconds_to_acknowledge,
        -- and the member
    from main.incidents as i
    where i.excluded_as is distinct from 'test'
        -- One that is joined to another tool's incident stays as long as that one.
        and not exists (
            select 1
            from main.incident_links as joined
            where joined.verdict = 'joined'
                and joined.joined_source = i.source
                and joined.joined_incident_id = i.incident_id
        )
        and ($event = 'resolved' or (i.acknowledgement_basis is not null and i.is_auto_resolved is not true))
        and ($since::date is null or i.opened_on >= $since)
        and ($until::date is null or i.opened_on <= $until)
        -- and the filters
),
-- A complete export that lacks an incident is later than the last that had it.
gone as (
    select
        opened.source,
        opened.incident_id,
        max(sightings.seen_at) as seen_at
    from opened
    join store.sightings as sightings
        on opened.source = sightings.source
        and opened.incident_id = sightings.incident_id
    where opened.deleted_at_source is not null
    group by
        opened.source,
        opened.incident_id
),
ends as (
    select
        opened.*,
        sources.as_of,
        least(coalesce(gone.seen_at, opened.deleted_at_source, sources.as_of), sources.as_of) as last_seen_at,
        opened.excluded_as in ('cancelled', 'duplicate') is true as is_dropped,
        case
            when $event = 'acknowledged' and opened.seconds_to_acknowledge is not null
                then opened.opened_at + to_seconds(opened.seconds_to_acknowledge)
            when opened.resolved_at is not null then opened.resolved_at
            -- Nobody says when it was cancelled or merged: its closing, or its last change.
            when is_dropped then coalesce(opened.closed_at, opened.updated_at)
        end as left_at,
        case
            when $event = 'acknowledged' then opened.seconds_to_acknowledge is not null
            else opened.resolved_at is not null and not is_dropped
        end as is_event,
        opened.resolution_basis = 'closed' and sources.knows_resolving and is_event as is_only_closed
    from opened
    join main.sources as sources
        on opened.source = sources.source
    left join gone
        on opened.source = gone.source
        and opened.incident_id = gone.incident_id
),
lives as (
    select
        member,
        left_at is not null as has_left,
        is_event,
        is_only_closed,
        case
            when left_at between opened_at and as_of then left_at
            when left_at is null and last_seen_at >= opened_at then last_seen_at
        end as ended_at,
        -- Begun minutes count: most tools stamp no finer.
        ceil(date_diff('second', opened_at, ended_at) / 60)::bigint as minutes
    from ends
)
select
    member,
    minutes,
    count(*) filter (where has_left and is_event)::bigint as events,
    count(*) filter (where has_left and not is_event)::bigint as others,
    count(*) filter (where not has_left)::bigint as censored,
    count(*) filter (where is_only_closed)::bigint as only_closed
from lives
group by
    member,
    minutes
order by
    member,
    minutes;
