-- One row per known change, in order of time.
select
    annotated_on,
    text,
    splits_baseline,
    source,
    priority,
    assignment_group,
    service,
    category,
    channel
from main.annotations
order by
    annotated_on,
    text;
