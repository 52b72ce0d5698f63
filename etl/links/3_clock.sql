-- One row per incident that links join others to, with the better clock of them all; the others count no more.
create or replace temp table standing as
select
    versions.key,
    versions.source,
    versions.incident_id,
    versions.external_id,
    coalesce(versions.excluded_as, instants.told_excluded_as) is not null as is_excluded
from current_versions as versions
join instants
    on versions.key = instants.key
where versions.source in (
    select unnest([source, target])
    from store.link_rules
);

create or replace temp table links as
select
    names.source,
    names.incident_id,
    names.rule,
    names.linked_source,
    names.linked_id,
    target.incident_id as linked_incident_id,
    case when rules.keep = rules.source then target.key else namer.key end as joined_key,
    case when rules.keep = rules.source then namer.key else target.key end as counted_key,
    namer.is_excluded or target.is_excluded as is_excluded,
    count(*) over (partition by namer.key, names.rule, names.linked_id) as matches
from store.link_names as names
join standing as namer
    on names.source = namer.source
    and names.incident_id = namer.incident_id
join store.link_rules as rules
    on names.rule = rules.place
left join (
    select key, source, incident_id, is_excluded, incident_id as known_as
    from standing
    union
    select key, source, incident_id, is_excluded, external_id as known_as
    from standing
) as target
    on names.linked_source = target.source
    and names.linked_id = target.known_as;

-- The first rule that leads anywhere decides; where it leads to several, nothing is joined.
create or replace temp table decisions as
select
    joined_key,
    rule,
    min(counted_key) as counted_key,
    count(distinct counted_key) as choices
from links
where not is_excluded
    and matches = 1
group by
    joined_key,
    rule
qualify row_number() over (
    partition by joined_key
    order by rule
) = 1;

-- Of a chain the last one counts; rules that lead in a circle are refused.
create or replace temp table families as
with recursive ancestry as (
    select
        joined_key,
        counted_key
    from decisions
    where choices = 1
    union
    select
        ancestry.joined_key,
        decisions.counted_key
    from ancestry
    join decisions
        on ancestry.counted_key = decisions.joined_key
        and decisions.choices = 1
)
select
    ancestry.joined_key as key,
    ancestry.counted_key
from ancestry
anti join (select joined_key from decisions where choices = 1) as joined
    on ancestry.counted_key = joined.joined_key;

-- A rule may say whose word comes first; the earlier rule's word outranks the later one's.
create or replace temp table preferences as
select
    ends.key,
    min(rules.place) filter (where rules.takes_opened_at = standing.source) as opened_rank,
    min(rules.place) filter (where rules.takes_acknowledged_at = standing.source) as acknowledged_rank,
    min(rules.place) filter (where rules.takes_resolved_at = standing.source) as resolved_rank
from (
    select
        rule,
        unnest([joined_key, counted_key]) as key
    from decisions
    where choices = 1
) as ends
join standing
    on ends.key = standing.key
join store.link_rules as rules
    on ends.rule = rules.place
group by ends.key;

create or replace temp table candidates as
select
    members.counted_key,
    members.key = members.counted_key as is_own,
    standing.source,
    standing.incident_id,
    instants.* exclude (key),
    coalesce(preferences.opened_rank, 1_000_000) as opened_rank,
    coalesce(preferences.acknowledged_rank, 1_000_000) as acknowledged_rank,
    coalesce(preferences.resolved_rank, 1_000_000) as resolved_rank,
    instants.resolved_at is not null and instants.is_only_closed is not true as knows_resolution
from (
    select key, counted_key
    from families
    union
    select counted_key as key, counted_key
    from families
) as members
join standing
    on members.key = standing.key
join instants
    on members.key = instants.key
join preferences
    on members.key = preferences.key;

create or replace temp table better_openings as
select
    counted_key,
    source,
    incident_id,
    is_own,
    opened_at
from candidates
qualify row_number() over (
    partition by counted_key
    order by
        opened_rank,
        opened_at,
        is_own desc,
        source,
        incident_id
) = 1;

create or replace temp table better_acknowledgements as
select
    counted_key,
    source,
    incident_id,
    is_own,
    acknowledged_at,
    acknowledgement_basis
from candidates
where acknowledgement_basis is not null
qualify row_number() over (
    partition by counted_key
    order by
        acknowledged_at is null,
        acknowledged_rank,
        acknowledgement_basis = 'reported' desc,
        acknowledged_at,
        is_own desc,
        source,
        incident_id
) = 1;

-- What its own tool has open is open, whatever the others say.
create or replace temp table better_resolutions as
select
    candidates.counted_key,
    candidates.source,
    candidates.incident_id,
    candidates.is_own,
    candidates.first_resolved_at,
    candidates.resolved_at,
    candidates.resolution_basis,
    candidates.is_only_closed
from candidates
semi join (
    select counted_key
    from candidates
    where is_own
        and state in ('resolved', 'closed')
) as settled
    on candidates.counted_key = settled.counted_key
where candidates.resolved_at is not null
qualify row_number() over (
    partition by candidates.counted_key
    order by
        candidates.resolved_rank,
        candidates.knows_resolution and candidates.is_own desc,
        candidates.knows_resolution desc,
        candidates.is_own desc,
        candidates.resolved_at desc,
        candidates.source,
        candidates.incident_id
) = 1;

create or replace temp table merged_clocks as
select
    own.counted_key as key,
    own.opened_at as own_opened_at,
    own.occurred_at as own_occurred_at,
    own.assigned_at as own_assigned_at,
    own.acknowledged_at as own_acknowledged_at,
    own.acknowledgement_basis as own_acknowledgement_basis,
    own.first_resolved_at as own_first_resolved_at,
    own.resolved_at as own_resolved_at,
    own.resolution_basis as own_resolution_basis,
    openings.opened_at,
    openings.source as opened_source,
    openings.incident_id as opened_incident_id,
    openings.is_own as is_opened_here,
    others.occurred_at,
    coalesce(own.assigned_at, others.assigned_at) as assigned_at,
    acknowledgements.acknowledged_at,
    acknowledgements.acknowledgement_basis,
    acknowledgements.source as acknowledged_source,
    acknowledgements.incident_id as acknowledged_incident_id,
    coalesce(acknowledgements.is_own, true) as is_acknowledged_here,
    case when coalesce(resolutions.is_own, true) then own.first_resolved_at
        else coalesce(resolutions.first_resolved_at, resolutions.resolved_at)
    end as first_resolved_at,
    coalesce(resolutions.resolved_at, own.resolved_at) as resolved_at,
    coalesce(resolutions.resolution_basis, own.resolution_basis) as resolution_basis,
    case when coalesce(resolutions.is_own, true) then own.is_only_closed else resolutions.is_only_closed end
        as is_only_closed,
    resolutions.source as resolved_source,
    resolutions.incident_id as resolved_incident_id,
    coalesce(resolutions.is_own, true) as is_resolved_here,
    others.as_of
from (select * from candidates where is_own) as own
join better_openings as openings
    on own.counted_key = openings.counted_key
join (
    select
        counted_key,
        min(occurred_at) as occurred_at,
        min(assigned_at) as assigned_at,
        max(as_of) as as_of
    from candidates
    group by counted_key
) as others
    on own.counted_key = others.counted_key
left join better_acknowledgements as acknowledgements
    on own.counted_key = acknowledgements.counted_key
left join better_resolutions as resolutions
    on own.counted_key = resolutions.counted_key;

update instants
set
    opened_at = merged.opened_at,
    occurred_at = merged.occurred_at,
    assigned_at = merged.assigned_at,
    acknowledged_at = merged.acknowledged_at,
    acknowledgement_basis = merged.acknowledgement_basis,
    first_resolved_at = merged.first_resolved_at,
    resolved_at = merged.resolved_at,
    resolution_basis = merged.resolution_basis,
    is_only_closed = merged.is_only_closed,
    as_of = merged.as_of,
    is_opened_elsewhere = not merged.is_opened_here,
    is_acknowledged_elsewhere = not merged.is_acknowledged_here
from merged_clocks as merged
where instants.key = merged.key;

update instants
set told_excluded_as = 'duplicate'
from families
where instants.key = families.key;
