-- title:   Acknowledged share
-- unit:    share
-- better:  higher
-- counted: opened_at
-- statistic: rate
-- Share of incidents that a person acknowledged. Only where the source lets one know; auto-resolved ones need nobody.

-- What one incident adds: 1 or 0; null where it does not count.
create or replace macro kpi.ack_rate_each(i) as
    case
        when i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.acknowledgement_basis is not null
        then (i.acknowledged_at is not null)::integer
    end;

create or replace macro kpi.ack_rate(i) as
    sum(kpi.ack_rate_each(i))::double
    / nullif(count(kpi.ack_rate_each(i)), 0);

-- How many it is made of.
create or replace macro kpi.ack_rate_n(i) as
    count(kpi.ack_rate_each(i));

-- >>> select kpi.ack_rate(i) from (values (timestamp '2025-01-01', 'reported', false, null, false), (null, 'reported', null, null, false), (null, null, null, null, false)) as i(acknowledged_at, acknowledgement_basis, is_auto_resolved, excluded_as, resolved_with_parent)
-- 0.5
