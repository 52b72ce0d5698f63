-- title:   Share of time on hold
-- unit:    share
-- better:  lower
-- counted: resolved_at
-- statistic: ratio
-- Hours on hold as a share of all hours to resolve, where the hold history is known.

-- What one incident adds: its seconds on hold; null where it does not count.
create or replace macro kpi.hold_share_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
        then i.seconds_on_hold
    end;

-- What that is a share of: its seconds to resolve.
create or replace macro kpi.hold_share_weight(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
        then i.seconds_to_resolve
    end;

create or replace macro kpi.hold_share(i) as
    sum(kpi.hold_share_each(i))::double
    / nullif(sum(kpi.hold_share_weight(i))::double, 0);

-- How many it is made of.
create or replace macro kpi.hold_share_n(i) as
    count(kpi.hold_share_each(i));

-- >>> select kpi.hold_share(i) from (values (7200, null, false, 3600), (7200, null, false, 0), (60, null, false, null)) as i(seconds_to_resolve, excluded_as, resolved_with_parent, seconds_on_hold)
-- 0.25
