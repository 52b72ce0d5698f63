-- measure: resolve
-- title:   Opened → resolved (ours)
-- source:  Meantime, kpi.mttr; ServiceNow's Time to Resolve (Customer Service, Case Report form, servicenow.com/docs) is the same for what was not reopened
-- To the resolution that still stands; what was resolved with its parent is left out.
select
    i.key,
    i.seconds_to_resolve as value
from chosen as i
where i.resolved_with_parent is not true
    and i.seconds_to_resolve is not null;
