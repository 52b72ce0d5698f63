-- title:   Mean business time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- statistic: mean
-- Mean hours to resolve, counting only the business hours of the incident's calendar.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mttr_business_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
        then i.business_seconds_to_resolve
    end;

create or replace macro kpi.mttr_business(i) as
    sum(kpi.mttr_business_each(i))::double
    / nullif(count(kpi.mttr_business_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_business_n(i) as
    count(kpi.mttr_business_each(i));

-- >>> select kpi.mttr_business(i) from (values (3600, null, false), (null, null, false)) as i(business_seconds_to_resolve, excluded_as, resolved_with_parent)
-- 1.0
