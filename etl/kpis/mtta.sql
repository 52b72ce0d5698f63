-- title:   Mean time to acknowledge
-- unit:    hours
-- better:  lower
-- counted: acknowledged_at
-- statistic: mean
-- Mean hours from opening until a person took the incident on. Those that nobody acknowledged are in the acknowledged
-- share, not here; auto-resolved ones do not count.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mtta_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
        then i.seconds_to_acknowledge
    end;

create or replace macro kpi.mtta(i) as
    sum(kpi.mtta_each(i))::double
    / nullif(count(kpi.mtta_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mtta_n(i) as
    count(kpi.mtta_each(i));

-- >>> select kpi.mtta(i) from (values (600, null, false, null), (3000, null, false, false), (1, null, false, true), (1, 'cancelled', false, false)) as i(seconds_to_acknowledge, excluded_as, resolved_with_parent, is_auto_resolved)
-- 0.5
