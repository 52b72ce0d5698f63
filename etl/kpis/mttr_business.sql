-- title:   Mean business time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- Mean hours to resolve, counting only the business hours of the incident's calendar.
create or replace macro kpi.mttr_business(i) as
    (sum(i.business_seconds_to_resolve) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.business_seconds_to_resolve is not null
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.business_seconds_to_resolve is not null
    ), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_business_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.business_seconds_to_resolve is not null
    );

-- >>> select kpi.mttr_business(i) from (values (3600, null, false), (null, null, false)) as i(business_seconds_to_resolve, excluded_as, resolved_with_parent)
-- 1.0
