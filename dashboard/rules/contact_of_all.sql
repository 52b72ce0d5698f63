-- measure: contact
-- title:   Of everything opened
-- source:  the same verdict over another base: SLA reports that divide by all tickets
-- What is unknown, open or raised by a machine counts as no.
select
    i.key,
    (i.first_contact_resolved is true)::bigint as value
from chosen as i;
