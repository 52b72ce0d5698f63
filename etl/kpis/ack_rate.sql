-- title:   Acknowledged share
-- unit:    share
-- better:  higher
-- counted: opened_at
-- Share of incidents that a person acknowledged. Only where the source lets one know; auto-resolved ones need nobody.
create or replace macro kpi.ack_rate(i) as
    (count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.acknowledgement_basis is not null
            and i.acknowledged_at is not null
    ))::double
    / nullif(count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.acknowledgement_basis is not null
    ), 0);

-- How many it is made of.
create or replace macro kpi.ack_rate_n(i) as
    count(*) filter (
        where i.excluded_as is null
            and i.resolved_with_parent is not true
            and i.is_auto_resolved is not true
            and i.acknowledgement_basis is not null
    );

-- >>> select kpi.ack_rate(i) from (values (timestamp '2025-01-01', 'reported', false, null, false), (null, 'reported', null, null, false), (null, null, null, null, false)) as i(acknowledged_at, acknowledgement_basis, is_auto_resolved, excluded_as, resolved_with_parent)
-- 0.5
