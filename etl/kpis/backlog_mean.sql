-- title:   Mean open incidents
-- unit:    incidents
-- better:  lower
-- fact:    incident_days
-- counted: day
-- statistic: mean
-- days:    all
-- Mean over the days of a period of the incidents open at each day's end.
create or replace macro kpi.backlog_mean(d) as
    (count(*) filter (
        where d.incident_id is not null
            and d.excluded_as is null
    ))::double
    / nullif(count(distinct d.day), 0);

-- In your own query: a day on which nothing was open needs a row without incident to be counted.
-- How many it is made of.
create or replace macro kpi.backlog_mean_n(d) as
    count(distinct d.day);

-- >>> select kpi.backlog_mean(d) from (values (date '2025-01-01', 'a', null), (date '2025-01-02', 'a', null), (date '2025-01-02', 'b', null)) as d(day, incident_id, excluded_as)
-- 1.5
