-- title:   Median age of open incidents
-- unit:    hours
-- better:  lower
-- fact:    incident_days
-- counted: day
-- statistic: quantile 0.5
-- days:    last
-- Half of the incidents open at the end of the last complete day of a period are no older, in hours since their opening.
create or replace macro kpi.backlog_age_median(d) as
    case
        when min(d.day) = max(d.day) then quantile_cont(d.age_seconds, 0.5) filter (
        where d.incident_id is not null
            and d.excluded_as is null
            and d.age_seconds is not null
    ) / 3600
    end;

-- In your own query: pass the rows of one day; over several days it is null.
-- How many it is made of.
create or replace macro kpi.backlog_age_median_n(d) as
    count(*) filter (
        where d.incident_id is not null
            and d.excluded_as is null
            and d.age_seconds is not null
    );

-- >>> select kpi.backlog_age_median(d) from (values (date '2025-01-01', 'a', null, 3600), (date '2025-01-01', 'b', null, 10800)) as d(day, incident_id, excluded_as, age_seconds)
-- 2.0
