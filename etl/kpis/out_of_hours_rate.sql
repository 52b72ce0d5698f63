-- title:   Opened out of hours
-- unit:    share
-- better:  none
-- counted: opened_at
-- statistic: rate
-- Share of the incidents opened outside the calendar, where there is one.

-- What one incident adds: 1 or 0; null where it does not count.
create or replace macro kpi.out_of_hours_rate_each(i) as
    case
        when i.excluded_as is null
            and i.opened_out_of_hours is not null
        then i.opened_out_of_hours::integer
    end;

create or replace macro kpi.out_of_hours_rate(i) as
    sum(kpi.out_of_hours_rate_each(i))::double
    / nullif(count(kpi.out_of_hours_rate_each(i)), 0);

-- How many it is made of.
create or replace macro kpi.out_of_hours_rate_n(i) as
    count(kpi.out_of_hours_rate_each(i));

-- >>> select kpi.out_of_hours_rate(i) from (values (true, null), (false, null), (null, null)) as i(opened_out_of_hours, excluded_as)
-- 0.5
