-- measure: contact
-- title:   Where known (Meantime)
-- source:  Meantime, kpi.fcr_rate
-- Neither reassigned, reopened, escalated nor held for the caller; of what people raised and where it is known.
select
    i.key,
    i.first_contact_resolved::bigint as value
from chosen as i
where i.first_contact_resolved is not null;
