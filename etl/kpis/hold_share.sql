-- title:   Share of time on hold
-- unit:    share
-- better:  lower
-- counted: resolved_at
-- Hours on hold as a share of all hours to resolve, where the hold history is known.
create or replace macro kpi.hold_share(i) as
    (sum(i.seconds_on_hold) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
    ))::double
    / nullif((sum(i.seconds_to_resolve) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
    ))::double, 0);

-- How many it is made of.
create or replace macro kpi.hold_share_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
    );

-- >>> select kpi.hold_share(i) from (values (7200, null, false, 3600), (7200, null, false, 0), (60, null, false, null)) as i(seconds_to_resolve, excluded_as, resolved_with_parent, seconds_on_hold)
-- 0.25
