-- title:   Mean active time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- statistic: mean
-- Mean hours to resolve less the hours on hold. Only incidents whose hold history is known.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mttr_active_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.seconds_to_resolve is not null
            and i.seconds_on_hold is not null
        then i.seconds_to_resolve - i.seconds_on_hold
    end;

create or replace macro kpi.mttr_active(i) as
    sum(kpi.mttr_active_each(i))::double
    / nullif(count(kpi.mttr_active_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_active_n(i) as
    count(kpi.mttr_active_each(i));

-- >>> select kpi.mttr_active(i) from (values (7200, null, false, 3600), (14400, null, false, 0), (60, null, false, null)) as i(seconds_to_resolve, excluded_as, resolved_with_parent, seconds_on_hold)
-- 2.5
