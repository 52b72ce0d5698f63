-- title:   Mean business time to acknowledge
-- unit:    hours
-- better:  lower
-- counted: acknowledged_at
-- statistic: mean
-- Mean hours to acknowledge, counting only the business hours of the incident's calendar.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mtta_business_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
        then i.business_seconds_to_acknowledge
    end;

create or replace macro kpi.mtta_business(i) as
    sum(kpi.mtta_business_each(i))::double
    / nullif(count(kpi.mtta_business_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mtta_business_n(i) as
    count(kpi.mtta_business_each(i));

-- >>> select kpi.mtta_business(i) from (values (3600, null, false, false)) as i(business_seconds_to_acknowledge, excluded_as, resolved_with_parent, is_auto_resolved)
-- 1.0
