-- title:   First-contact coverage
-- unit:    share
-- better:  higher
-- counted: resolved_at
-- statistic: rate
-- Share of the resolved incidents raised by people for which first-contact resolution is known.

-- What one incident adds: 1 or 0; null where it does not count.
create or replace macro kpi.fcr_coverage_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.resolved_at is not null
            and i.is_auto_resolved is not true
            and (i.channel in ('monitoring', 'api')) is not true
        then (i.first_contact_resolved is not null)::integer
    end;

create or replace macro kpi.fcr_coverage(i) as
    sum(kpi.fcr_coverage_each(i))::double
    / nullif(count(kpi.fcr_coverage_each(i)), 0);

-- How many it is made of.
create or replace macro kpi.fcr_coverage_n(i) as
    count(kpi.fcr_coverage_each(i));

-- >>> select kpi.fcr_coverage(i) from (values (true, 'phone', timestamp '2025-01-01', null, null, false), (false, null, timestamp '2025-01-01', null, null, false)) as i(first_contact_resolved, channel, resolved_at, is_auto_resolved, excluded_as, resolved_with_parent)
-- 1.0
