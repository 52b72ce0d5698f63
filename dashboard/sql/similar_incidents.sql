-- One row per incident that is like one, the likest first, with what both share: the rarer, the weightier.
with asked as materialized (
    select
        thing,
        ' ' || thing || ' ' as word
    from (
        select unnest(list_distinct(list_filter(
            string_split(regexp_replace(lower(left($title, $letters)), '[^\pL\pN]+', ' ', 'g'), ' '),
            lambda word: len(word) > 2
        ))[:$words]) as thing
    )
    union all
    select
        thing,
        null as word
    from (
        select unnest([
            'problem_id:' || $problem_id,
            'configuration_item:' || $configuration_item,
            'service:' || $service,
            'category:' || $category
        ]) as thing
    )
    where thing is not null
),
-- About the same thing, and so many as can be read in a moment: those opened nearest to it.
near as materialized (
    select
        i.rowid as place,
        i.problem_id = $problem_id is true as has_problem,
        i.configuration_item = $configuration_item is true as has_item,
        i.service = $service is true as has_service,
        i.category = $category is true as has_category,
        abs(date_diff('second', i.opened_at, ($opened_at::timestamp at time zone $zone at time zone 'UTC')::timestamp))
            as apart
    from main.incidents as i
    where (
        i.problem_id = $problem_id
        or i.configuration_item = $configuration_item
        or i.service = $service
        or ($service is null and i.category = $category)
        or coalesce($problem_id, $configuration_item, $service, $category) is null
    )
        and not (i.source = $source and i.incident_id = $incident_id)
    order by
        has_problem desc,
        has_item desc,
        apart,
        place
    limit $most
),
-- Their titles are read last: reading those of all that share a trait would take longer than the rest.
worded as materialized (
    select
        near.*,
        ' ' || regexp_replace(lower(left(i.title, $letters)), '[^\pL\pN]+', ' ', 'g') || ' ' as words
    from main.incidents as i
    join near
        on i.rowid = near.place
),
shared as materialized (
    select
        worded.place,
        worded.apart,
        asked.thing
    from worded
    cross join asked
    where case
        when asked.word is not null then contains(worded.words, asked.word)
        when starts_with(asked.thing, 'problem_id:') then has_problem
        when starts_with(asked.thing, 'configuration_item:') then has_item
        when starts_with(asked.thing, 'service:') then has_service
        else has_category
    end
),
weights as materialized (
    select
        asked.thing,
        -- Whole millionths: their sum does not depend on the order in which they are added.
        (1e6 * ln(1 + counted.n / greatest(count(shared.thing), 1)))::bigint as weight
    from asked
    cross join (select count(*) as n from near) as counted
    left join shared
        on asked.thing = shared.thing
    group by
        asked.thing,
        counted.n
),
likest as materialized (
    select
        shared.place,
        shared.apart,
        sum(weights.weight) / (select sum(weight) from weights) as likeness
    from shared
    join weights
        on shared.thing = weights.thing
    group by
        shared.place,
        shared.apart
    having likeness >= $least
    order by
        likeness desc,
        apart,
        place
    limit $listed
)
select
    i.source,
    i.incident_id,
    i.title,
    (i.opened_at at time zone 'UTC' at time zone $zone)::timestamp as opened_at,
    i.state,
    i.hours_to_resolve,
    i.assignment_group,
    i.resolution_code,
    (
        select list(shared.thing order by weights.weight desc, shared.thing)
        from shared
        join weights
            on shared.thing = weights.thing
        where shared.place = likest.place
    ) as things
from main.incidents as i
join likest
    on i.rowid = likest.place
order by
    likest.likeness desc,
    likest.apart,
    likest.place;
