-- measure: acknowledge
-- title:   Taken on (Meantime)
-- source:  Meantime, kpi.mtta
-- Nobody's acknowledgement is left out, auto-resolved incidents too; dispatching is none.
select
    i.key,
    i.seconds_to_acknowledge as value
from chosen as i
where i.resolved_with_parent is not true
    and i.is_auto_resolved is not true
    and i.seconds_to_acknowledge is not null;
