-- title:   Mean active time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- Mean hours to resolve less the hours on hold. Only incidents whose hold history is known.
create or replace macro kpi.mttr_active(i) as
    (sum((i.seconds_to_resolve - i.seconds_on_hold)) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
    ), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_active_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
    );

-- >>> select kpi.mttr_active(i) from (values (7200, null, false, 3600), (14400, null, false, 0), (60, null, false, null)) as i(seconds_to_resolve, excluded_as, resolved_with_parent, seconds_on_hold)
-- 2.5
