-- title:   Mean business time to acknowledge
-- unit:    hours
-- better:  lower
-- counted: acknowledged_at
-- Mean hours to acknowledge, counting only the business hours of the incident's calendar.
create or replace macro kpi.mtta_business(i) as
    (sum(i.business_seconds_to_acknowledge) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.business_seconds_to_acknowledge is not null
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.business_seconds_to_acknowledge is not null
    ), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mtta_business_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.business_seconds_to_acknowledge is not null
    );

-- >>> select kpi.mtta_business(i) from (values (3600, null, false, false)) as i(business_seconds_to_acknowledge, excluded_as, resolved_with_parent, is_auto_resolved)
-- 1.0
