-- title:   Incidents opened
-- unit:    incidents
-- better:  none
-- counted: opened_at
-- statistic: count
-- Number of incidents opened; excluded ones are counted beside it, not in it.

-- What one incident adds: 1; null where it does not count.
create or replace macro kpi.incident_volume_each(i) as
    case
        when i.excluded_as is null
        then 1
    end;

create or replace macro kpi.incident_volume(i) as
    count(kpi.incident_volume_each(i));

-- How many it is made of.
create or replace macro kpi.incident_volume_n(i) as
    count(kpi.incident_volume_each(i));

-- >>> select kpi.incident_volume(i) from (values (null), ('duplicate'), (null)) as i(excluded_as)
-- 2
