-- One row per incident of a source, a few: those with the longest history first, then the newest.
select
    incidents.incident_id,
    incidents.title,
    incidents.state,
    incidents.source_state,
    incidents.priority,
    incidents.source_priority,
    incidents.assignment_group,
    incidents.service,
    incidents.channel,
    incidents.excluded_as,
    incidents.opened_at,
    incidents.acknowledged_at,
    incidents.acknowledgement_basis,
    incidents.resolved_at,
    incidents.resolution_basis,
    told.kinds,
    told.counts
from incidents
left join (
    select
        source,
        incident_id,
        list(kind order by kind) as kinds,
        list(number order by kind) as counts,
        sum(number) as events
    from (
        select
            source,
            incident_id,
            kind,
            count(*) as number
        from incident_events
        group by
            source,
            incident_id,
            kind
    )
    group by
        source,
        incident_id
) as told
    on incidents.source = told.source
    and incidents.incident_id = told.incident_id
where incidents.source = $source
order by
    told.events desc nulls last,
    incidents.opened_at desc,
    incidents.incident_id
limit $shown;
