-- measure: contact
-- title:   Not reassigned
-- source:  reports on ServiceNow's field reassignment_count = 0, as they are commonly built; no definition of the vendor's
-- Reopened or waiting for the caller is still first contact.
select
    i.key,
    (i.reassignment_count = 0)::bigint as value
from chosen as i
where i.resolution_basis is not null
    and i.reassignment_count is not null;
