-- One row per target, in the order of KPIs, the target for everything first.
select
    kpi,
    value,
    is_most,
    since,
    until,
    source,
    priority,
    assignment_group,
    service,
    category,
    channel
from main.targets
order by
    kpi,
    (source, priority, assignment_group, service, category, channel) nulls first,
    since;
