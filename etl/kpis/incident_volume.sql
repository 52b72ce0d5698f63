-- title:   Incidents opened
-- unit:    incidents
-- better:  none
-- counted: opened_at
-- Number of incidents opened; excluded ones are counted beside it, not in it.
create or replace macro kpi.incident_volume(i) as
    count(*) filter (
        where i.excluded_as is null
    );

-- How many it is made of.
create or replace macro kpi.incident_volume_n(i) as
    count(*) filter (
        where i.excluded_as is null
    );

-- >>> select kpi.incident_volume(i) from (values (null), ('duplicate'), (null)) as i(excluded_as)
-- 2
