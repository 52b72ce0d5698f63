-- One row per complete day that the sources cover, from the first opening on, in the reporting zone.
create or replace view kpi.calendar as
select days.day
from store.days as days
where days.day >= (select min(opened_on) from main.incidents)
    and days.ends_at <= (select max(as_of) from main.sources);
