-- One row per incident, stamp and reason to doubt it.
doubts as materialized (
    select
        source,
        incident_id,
        'resolve' as clock,
        'repaired from its history' as reason
    from main.incidents
    where resolution_basis = 'history'
    union all
    select
        source,
        incident_id,
        'resolve' as clock,
        'closed, but never resolved' as reason
    from main.data_issues
    where rule = 'closed_without_resolving'
    union all
    select
        i.source,
        i.incident_id,
        'resolve' as clock,
        'resolved in a batch' as reason
    from main.incidents as i
    semi join (
        select
            unnest($sources::varchar[]) as source,
            unnest($days::date[]) as day
    ) as batches
        on i.source = batches.source
        and i.resolved_on = batches.day
    union all
    select
        source,
        incident_id,
        case when field = 'acknowledged_at' then 'acknowledge' else 'resolve' end as clock,
        'an impossible duration' as reason
    from main.data_issues
    where rule in ('before_opened', 'after_as_of', 'acknowledged_after_resolved', 'stale_resolved_at')
        and field in ('acknowledged_at', 'resolved_at')
    union all
    select distinct
        source,
        incident_id,
        'acknowledge' as clock,
        'acknowledged by a bot' as reason
    from main.incident_events
    where kind = 'acknowledged'
        and actor_kind = 'automation'
    union all
    select
        source,
        incident_id,
        'acknowledge' as clock,
        'history begins late' as reason
    from main.data_issues
    where rule = 'history_begins_late'
    union all
    select distinct
        source,
        incident_id,
        'contact' as clock,
        'counter and history disagree' as reason
    from main.data_issues
    where rule = 'counter_disagrees'
)
