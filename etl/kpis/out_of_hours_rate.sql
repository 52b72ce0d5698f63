-- title:   Opened out of hours
-- unit:    share
-- better:  none
-- counted: opened_at
-- Share of the incidents opened outside the calendar, where there is one.
create or replace macro kpi.out_of_hours_rate(i) as
    (count(*) filter (
        where i.excluded_as is null
            and i.opened_out_of_hours is not null
            and i.opened_out_of_hours
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.opened_out_of_hours is not null
    ), 0);

-- How many it is made of.
create or replace macro kpi.out_of_hours_rate_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.opened_out_of_hours is not null
    );

-- >>> select kpi.out_of_hours_rate(i) from (values (true, null), (false, null), (null, null)) as i(opened_out_of_hours, excluded_as)
-- 0.5
