-- measure: resolve
-- title:   Opened → closed
-- source:  Zoho Desk, Ticket resolution time, help.zoho.com (response and resolution times glossary), and Harness, DORA Mean Time To Restore, developer.harness.io: creation to closing
-- An automatic closing some days later is part of it.
select
    i.key,
    date_diff('second', i.opened_at, i.closed_at)::bigint as value
from chosen as i
where i.closed_at >= i.opened_at;
