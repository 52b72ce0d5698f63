-- One row per stretch of business time of a calendar, and one at either end of the days that calendars cover.
delete from store.business_spans;

-- The clock on the wall decides: an hour that a change of the clock repeats counts twice, one that it skips not at all.
insert into store.business_spans
select
    calendar,
    from_at,
    until_at,
    sum(date_diff('second', from_at, until_at)) over (
        partition by calendar
        order by from_at
        rows between unbounded preceding and current row
    )::bigint - date_diff('second', from_at, until_at) as seconds_before
from (
    select
        hours.calendar,
        greatest(hours.opens_at - to_seconds(offsets.offset_seconds), offsets.from_at) as from_at,
        least(hours.closes_at - to_seconds(offsets.offset_seconds), offsets.until_at) as until_at
    from (
        select
            weekly.calendar,
            weekly.timezone,
            year(days.day) as year,
            days.day::timestamp + to_seconds(weekly.opens) as opens_at,
            days.day::timestamp + to_seconds(weekly.closes) as closes_at
        from store.days as days
        join calendar_hours as weekly
            on isodow(days.day) = weekly.weekday
            and days.day >= weekly.since
            and days.day < weekly.until
        anti join calendar_closings as closings
            on weekly.calendar = closings.calendar
            and days.day = closings.day
    ) as hours
    join zone_offsets as offsets
        on hours.timezone = offsets.timezone
        and hours.year = offsets.year
        and hours.opens_at - to_seconds(offsets.offset_seconds) < offsets.until_at
        and hours.closes_at - to_seconds(offsets.offset_seconds) > offsets.from_at
);

-- Between the first day and the first hours nothing has passed yet; after the last day nothing is known.
insert into store.business_spans
select
    calendar,
    least(min(from_at), $first::timestamp) - interval 1 second as from_at,
    least(min(from_at), $first::timestamp) - interval 1 second as until_at,
    0 as seconds_before
from store.business_spans
group by calendar
union all
select
    calendar,
    greatest(max(until_at), $last::timestamp + interval 1 day) as from_at,
    greatest(max(until_at), $last::timestamp + interval 1 day) as until_at,
    null as seconds_before
from store.business_spans
group by calendar;
