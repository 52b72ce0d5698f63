-- measure: acknowledge
-- title:   Closing counts, too
-- source:  a reading of alerting tools in which the wait ends when an alert is closed; no vendor's page with it was found
-- What was resolved without being taken on counts from opening to its resolution or closing.
select
    i.key,
    coalesce(
        i.seconds_to_acknowledge,
        date_diff('second', i.opened_at, coalesce(i.first_resolved_at, i.resolved_at, i.closed_at))
    )::bigint as value
from chosen as i
where i.seconds_to_acknowledge is not null
    or coalesce(i.first_resolved_at, i.resolved_at, i.closed_at) >= i.opened_at;
