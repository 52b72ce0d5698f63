-- title:   Mean time to resolve
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- statistic: mean
-- Mean hours from opening to the resolution that stands. Open incidents have none; excluded ones and those resolved
-- with their parent do not count.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mttr_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
        then i.seconds_to_resolve
    end;

create or replace macro kpi.mttr(i) as
    sum(kpi.mttr_each(i))::double
    / nullif(count(kpi.mttr_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_n(i) as
    count(kpi.mttr_each(i));

-- >>> select kpi.mttr(i) from (values (7200, null, false), (14400, null, false), (null, null, false), (9, 'duplicate', false), (9, null, true)) as i(seconds_to_resolve, excluded_as, resolved_with_parent)
-- 3.0

-- >>> select kpi.mttr_n(i) from (values (7200, null, false), (14400, null, false), (null, null, false), (9, 'duplicate', false), (9, null, true)) as i(seconds_to_resolve, excluded_as, resolved_with_parent)
-- 2
