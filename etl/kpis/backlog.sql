-- title:   Open incidents
-- unit:    incidents
-- better:  lower
-- fact:    incident_days
-- counted: day
-- statistic: count
-- days:    last
-- Incidents open at the end of the last complete day of a period: a stock, never summed over days.
create or replace macro kpi.backlog(d) as
    coalesce((histogram(d.day) filter (
        where d.incident_id is not null
            and d.excluded_as is null
    ))[max(d.day)], 0)::bigint;

-- In your own query: the last of the days passed counts. A day on which nothing was open needs a row without incident.
-- How many it is made of.
create or replace macro kpi.backlog_n(d) as
    coalesce((histogram(d.day) filter (
        where d.incident_id is not null
            and d.excluded_as is null
    ))[max(d.day)], 0)::bigint;

-- >>> select kpi.backlog(d) from (values (date '2025-01-01', 'a', null), (date '2025-01-02', 'a', null), (date '2025-01-02', 'b', null), (date '2025-01-02', 'c', 'test')) as d(day, incident_id, excluded_as)
-- 2

-- >>> select kpi.backlog(d) from (values (date '2025-01-01', 'a', null), (date '2025-01-02', null, null)) as d(day, incident_id, excluded_as)
-- 0
