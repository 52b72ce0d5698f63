-- One row per incident that a calendar is for, in `business_times`; then its stretches, each with its business time.
-- The first rule that fits chooses the calendar: for each kind of incident, not for each incident.
create or replace temp table kinds as
select
    keys.key,
    keys.source,
    clocks.assignment_group,
    current_versions.services[1] as service,
    clocks.priority
from clocks
join keys
    on clocks.key = keys.key
join current_versions
    on clocks.key = current_versions.key
where exists (select 1 from store.calendar_rules);

create or replace temp table scheduled as
select
    kinds.key,
    chosen.calendar
from kinds
join (
    select
        kinds.source,
        kinds.assignment_group,
        kinds.service,
        kinds.priority,
        arg_min(rules.calendar, rules.place) as calendar
    from (select distinct source, assignment_group, service, priority from kinds) as kinds
    join store.calendar_rules as rules
        on (rules.source is null or list_contains(rules.source, kinds.source))
        and (rules.assignment_group is null or list_contains(rules.assignment_group, kinds.assignment_group))
        and (rules.service is null or list_contains(rules.service, kinds.service))
        and (rules.priority is null or list_contains(rules.priority, kinds.priority))
    group by
        kinds.source,
        kinds.assignment_group,
        kinds.service,
        kinds.priority
) as chosen
    on kinds.source = chosen.source
    and kinds.assignment_group is not distinct from chosen.assignment_group
    and kinds.service is not distinct from chosen.service
    and kinds.priority is not distinct from chosen.priority;

drop table kinds;

-- Business seconds of a calendar up to an instant: those before the stretch of hours that began last, and those in it.
create or replace temp macro business_seconds_until(instant, span) as
    span.seconds_before + least(
        date_diff('second', span.from_at, instant),
        date_diff('second', span.from_at, span.until_at)
    );

create or replace temp table business_times as
select
    times.key,
    times.calendar,
    business_seconds_until(times.opened_at, opening) as opened_after,
    case
        when times.seconds_to_resolve is not null
            then business_seconds_until(times.resolved_at, resolving) - opened_after
    end as business_seconds_to_resolve,
    case
        when times.seconds_to_acknowledge is not null
            then business_seconds_until(times.acknowledged_at, acknowledging) - opened_after
    end as business_seconds_to_acknowledge,
    case when opened_after is not null then times.opened_at >= opening.until_at end as opened_out_of_hours
from (
    select
        scheduled.calendar,
        clocks.*
    from clocks
    join scheduled
        on clocks.key = scheduled.key
) as times
asof left join store.business_spans as opening
    on times.calendar = opening.calendar
    and times.opened_at >= opening.from_at
asof left join store.business_spans as resolving
    on times.calendar = resolving.calendar
    and times.resolved_at >= resolving.from_at
asof left join store.business_spans as acknowledging
    on times.calendar = acknowledging.calendar
    and times.acknowledged_at >= acknowledging.from_at;

-- What each stretch is stored with: names, and the day by which most are left unread.
create or replace temp view named as
select
    keys.*,
    lives.resolved_on
from keys
join lives
    on keys.key = lives.key;

delete from store.segments as segments
using keys
where segments.source = keys.source
    and segments.incident_id = keys.incident_id;

insert into store.segments by name
select
    named.source,
    named.incident_id,
    named.resolved_on,
    stretches.* exclude (key)
from stretches
anti join scheduled
    on stretches.key = scheduled.key
join named
    on stretches.key = named.key;

-- Names are looked up last: what is sorted on the way stays narrow.
insert into store.segments by name
select
    named.source,
    named.incident_id,
    named.resolved_on,
    counted.* exclude (key)
from (
    select
        times.* exclude (calendar),
        business_seconds_until(times.until_at, ending) - business_seconds_until(times.from_at, beginning)
            as business_seconds
    from (
        select
            scheduled.calendar,
            stretches.*
        from stretches
        join scheduled
            on stretches.key = scheduled.key
    ) as times
    asof left join store.business_spans as beginning
        on times.calendar = beginning.calendar
        and times.from_at >= beginning.from_at
    asof left join store.business_spans as ending
        on times.calendar = ending.calendar
        and times.until_at >= ending.from_at
) as counted
join named
    on counted.key = named.key;

drop table stretches;
