-- One row per incident, excluded ones too.
-- When a parent was resolved: of parents that are made again here, and of all others.
create or replace temp table parents as
select
    versions.source,
    versions.known_as,
    coalesce(clocks.resolved_at, incidents.resolved_at) as resolved_at
from (
    select versions.source, versions.incident_id, versions.incident_id as known_as
    from store.versions as versions
    semi join (select source, parent_id from current_versions where parent_id is not null) as wanted
        on versions.source = wanted.source
        and versions.incident_id = wanted.parent_id
    union
    select versions.source, versions.incident_id, versions.external_id as known_as
    from store.versions as versions
    semi join (select source, parent_id from current_versions where parent_id is not null) as wanted
        on versions.source = wanted.source
        and versions.external_id = wanted.parent_id
) as versions
left join keys
    on versions.source = keys.source
    and versions.incident_id = keys.incident_id
left join clocks
    on keys.key = clocks.key
left join incidents
    on versions.source = incidents.source
    and versions.incident_id = incidents.incident_id
    and keys.key is null;

create or replace temp table children as
select distinct versions.key
from current_versions as versions
join parents
    on versions.source = parents.source
    and versions.parent_id = parents.known_as
join clocks
    on versions.key = clocks.key
where versions.parent_id not in (versions.incident_id, coalesce(versions.external_id, ''))
    and (
        abs(date_diff('second', parents.resolved_at, clocks.resolved_at)) <= 300
        -- No source says "because of its parent", so a rule that follows within the hour is taken to have done it:
        -- jobs that resolve children run every few minutes to hourly. Without a bound, a rule that resolves what nobody
        -- answered for days would count, whatever became of the parent.
        or (
            clocks.is_resolved_by_automation
            and date_diff('second', parents.resolved_at, clocks.resolved_at) between 0 and 3600
        )
    );

create or replace temp view judged as
select
    versions.* exclude (
        place,
        as_of,
        external_id,
        reopens_id,
        reports_acknowledgement,
        updated_by,
        version_number,
        occurred_at,
        opened_at,
        assigned_at,
        acknowledged_at,
        first_resolved_at,
        resolved_at,
        closed_at,
        deleted_at_source,
        excluded_as,
        reassignment_count,
        reopen_count,
        escalation_count,
        is_auto_resolved,
        priority,
        assignment_group,
        seconds_on_hold,
        first_contact_resolved,
        sla_met
    ),
    said.title,
    said.url,
    said.source_state,
    said.source_priority,
    said.impact,
    said.urgency,
    said.category,
    said.subcategory,
    said.is_major,
    said.configuration_item,
    said.assignee,
    said.location,
    said.channel,
    said.source_channel,
    said.tags,
    said.problem_id,
    said.change_id,
    said.resolution_code,
    said.knowledge_used,
    said.attributes,
    coalesce(versions.excluded_as, clocks.told_excluded_as) as excluded_as,
    versions.first_contact_resolved as reported_first_contact,
    versions.sla_met as reported_sla_met,
    clocks.* exclude (key, state),
    business_times.* exclude (key, opened_after),
    lives.resolved_on,
    coalesce(
        versions.seconds_on_hold,
        case
            when clocks.from_creation and clocks.seconds_to_resolve is not null then coalesce(holds.seconds_on_hold, 0)
        end
    ) as seconds_on_hold,
    children.key is not null as resolved_with_parent,
    clocks.resolution_basis is not null as is_resolved,
    clocks.reassignment_count > 0
    or clocks.reopen_count > 0
    or clocks.escalation_count > 0
    or clocks.was_held_for_caller
    or clocks.seconds_to_resolve > clocks.first_contact_hours * 3600 as violates_first_contact
from store.versions as said
join current_versions as versions
    on said.rowid = versions.place
join clocks
    on versions.key = clocks.key
left join business_times
    on versions.key = business_times.key
left join holds
    on versions.key = holds.key
left join children
    on versions.key = children.key
left join lives
    on versions.key = lives.key;

-- What they were until now: it is counted no more. Rows are read by place, which touches no others.
create or replace temp table outdated_places as
select incidents.rowid as place
from incidents
semi join keys
    on incidents.source = keys.source
    and incidents.incident_id = keys.incident_id;

create or replace temp table outdated as
select
    rowid as place,
    source,
    opened_on,
    excluded_as,
    priority,
    assignment_group,
    service,
    category,
    channel
from incidents
where rowid in (select place from outdated_places);

delete from incidents
where rowid in (select place from outdated);

set variable last_incident = (select coalesce(max(rowid), -1) from incidents);

insert into incidents by name
select
    source,
    incident_id,
    title,
    url,
    state,
    source_state,
    excluded_as,
    is_auto_resolved,
    resolved_with_parent,
    priority,
    source_priority,
    first_priority as opened_priority,
    impact,
    urgency,
    category,
    subcategory,
    is_major,
    services[1] as service,
    services,
    configuration_item,
    assignment_group,
    first_group as first_assignment_group,
    assignee,
    caller,
    location,
    channel,
    source_channel,
    tags,
    parent_id,
    problem_id,
    change_id,
    resolution_code,
    knowledge_used,
    occurred_at,
    opened_at,
    assigned_at,
    acknowledged_at,
    first_resolved_at,
    resolved_at,
    closed_at,
    last_resolved_at,
    last_event_at,
    updated_at,
    deleted_at_source,
    (opened_at at time zone 'UTC' at time zone zone)::date as opened_on,
    (acknowledged_at at time zone 'UTC' at time zone zone)::date as acknowledged_on,
    (first_resolved_at at time zone 'UTC' at time zone zone)::date as first_resolved_on,
    -- Converting a stamp is dear, and most are known.
    coalesce(resolved_on, (resolved_at at time zone 'UTC' at time zone zone)::date) as resolved_on,
    (closed_at at time zone 'UTC' at time zone zone)::date as closed_on,
    acknowledgement_basis,
    resolution_basis,
    reassignment_count,
    reopen_count,
    escalation_count,
    case first_contact_basis
        when 'reported' then reported_first_contact
        when 'derived' then violates_first_contact is not true
        when 'derived_partial' then true
    end as first_contact_resolved,
    first_contact_basis,
    case
        when not reported_sla_met then false
        when reported_sla_met and is_resolved then true
    end as sla_met,
    seconds_to_assign,
    seconds_to_acknowledge,
    seconds_to_resolve,
    seconds_to_first_resolution,
    seconds_on_hold,
    business_seconds_to_resolve,
    business_seconds_to_acknowledge,
    seconds_to_assign / 3600 as hours_to_assign,
    seconds_to_acknowledge / 3600 as hours_to_acknowledge,
    seconds_to_resolve / 3600 as hours_to_resolve,
    seconds_to_first_resolution / 3600 as hours_to_first_resolution,
    seconds_on_hold / 3600 as hours_on_hold,
    business_seconds_to_resolve / 3600 as business_hours_to_resolve,
    business_seconds_to_acknowledge / 3600 as business_hours_to_acknowledge,
    calendar,
    opened_out_of_hours,
    attributes
from (
    select
        judged.*,
        settings.value as zone,
        case
            when not is_resolved then 'not_resolved'
            when excluded_as is not null then 'excluded'
            when resolved_with_parent then 'resolved_with_parent'
            when channel in ('monitoring', 'api') then 'raised_by_machine'
            when reported_first_contact is not null then 'reported'
            when violates_first_contact then 'derived'
            when reassignment_count = 0 and reopen_count = 0
                then case
                    when escalation_count is not null and was_held_for_caller is not null then 'derived'
                    else 'derived_partial'
                end
            else 'unknown'
        end as first_contact_basis
    from judged
    cross join (select value from store.settings where name = 'reporting_timezone') as settings
);
