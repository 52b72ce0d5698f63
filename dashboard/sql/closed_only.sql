-- One row per source from whose last 30 days no incident is open: its extract may hold closed ones only.
select sources.source
from main.sources as sources
left join main.incidents as i
    on sources.source = i.source
    and i.opened_at > sources.as_of - interval 30 day
    and i.state in ('new', 'in_progress', 'on_hold')
group by sources.source
having count(i.incident_id) = 0
order by sources.source;
