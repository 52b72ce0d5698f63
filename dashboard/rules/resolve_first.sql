-- measure: resolve
-- title:   Created → first resolve
-- source:  Zendesk, First resolution time, support.zendesk.com article 4408834848154: creation to the first time that it was solved
-- What happens after a reopening does not count.
select
    i.key,
    i.seconds_to_first_resolution as value
from chosen as i
where i.seconds_to_first_resolution is not null;
