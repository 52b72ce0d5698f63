-- One row per source from whose last 30 days no incident is open: its extract may hold closed ones only.
select sources.source
from main.sources as sources
where not exists (
    select 1
    from main.incidents as i
    where i.source = sources.source
        and i.opened_at > sources.as_of - interval 30 day
        and i.state in ('new', 'in_progress', 'on_hold')
)
order by sources.source;
