-- One row per assignment group: how long its incidents took, and how many they are.
select
    assignment_group,
    kpi.mttr(incident) as hours_to_resolve,
    kpi.mttr_n(incident) as n
from incidents as incident
group by all
order by hours_to_resolve desc
