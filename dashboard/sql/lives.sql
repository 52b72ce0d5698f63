-- One row per key and time since opening: how many of the incidents opened left then, or were last seen open.
with seen as (
    select
        -- the keys
        i.opened_at,
        -- Those deleted at their source were last seen before that; nobody knows what became of them.
        least(coalesce(i.deleted_at_source, sources.as_of), sources.as_of) as last_seen_at,
        case
            when $event = 'acknowledged' and i.seconds_to_acknowledge is not null
                then i.opened_at + to_seconds(i.seconds_to_acknowledge)
            when i.resolved_at is not null then i.resolved_at
            when i.excluded_as in ('cancelled', 'duplicate') then coalesce(i.closed_at, i.updated_at)
        end as left_at,
        case
            when $event = 'acknowledged' then i.seconds_to_acknowledge is not null
            else i.resolved_at is not null and (i.excluded_as in ('cancelled', 'duplicate')) is not true
        end as is_event
    from main.incidents as i
    join main.sources as sources
        on i.source = sources.source
    where i.excluded_as is distinct from 'test'
        and ($event = 'resolved' or i.acknowledgement_basis is not null)
        and ($since::date is null or i.opened_on >= $since)
        and ($until::date is null or i.opened_on <= $until)
        -- and the filters
),
lives as (
    select
        seen.*,
        left_at is not null as has_left,
        case
            when coalesce(left_at, last_seen_at) >= opened_at and (left_at > last_seen_at) is not true
                then date_diff('second', opened_at, coalesce(left_at, last_seen_at))::bigint
        end as seconds
    from seen
)
select
    -- the key names
    seconds,
    count(*) filter (where has_left and is_event)::bigint as events,
    count(*) filter (where has_left and not is_event)::bigint as others,
    count(*) filter (where not has_left)::bigint as censored
from lives
group by
    -- the key names
    seconds
order by
    -- the key names
    seconds;
