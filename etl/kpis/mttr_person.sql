-- title:   Mean time to resolve by people
-- unit:    hours
-- better:  lower
-- counted: resolved_at
-- statistic: mean
-- Mean hours to resolve of the incidents that a person had to do with: without the auto-resolved ones.

-- What one incident adds: its seconds; null where it does not count.
create or replace macro kpi.mttr_person_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
        then i.seconds_to_resolve
    end;

create or replace macro kpi.mttr_person(i) as
    sum(kpi.mttr_person_each(i))::double
    / nullif(count(kpi.mttr_person_each(i)), 0)
    / 3600;

-- How many it is made of.
create or replace macro kpi.mttr_person_n(i) as
    count(kpi.mttr_person_each(i));

-- >>> select kpi.mttr_person(i) from (values (7200, null, false, false), (14400, null, false, null), (60, null, false, true)) as i(seconds_to_resolve, excluded_as, resolved_with_parent, is_auto_resolved)
-- 3.0
