-- One row per view that the configuration names.
select
    name,
    kpi,
    "by",
    picture,
    against,
    scale,
    "only",
    period,
    since,
    until,
    grain,
    source,
    priority,
    assignment_group,
    service,
    category,
    channel
from main.saved_views
order by name;
