-- One row per id of another tool's incident that an incident names: what became of it.
delete from incident_links
using keys
where incident_links.source = keys.source
    and incident_links.incident_id = keys.incident_id;

create or replace temp table judged_links as
select
    links.*,
    case
        when links.linked_incident_id is null then 'missing'
        when links.matches > 1 then 'ambiguous'
        when links.is_excluded then 'excluded'
        when decisions.choices > 1 and links.rule = decisions.rule then 'ambiguous'
        when decisions.choices = 1 and links.counted_key = decisions.counted_key then 'joined'
        else 'outranked'
    end as verdict
from links
left join decisions
    on links.joined_key = decisions.joined_key;

insert into incident_links by name
select
    judged_links.source,
    judged_links.incident_id,
    judged_links.rule,
    rules.field,
    judged_links.linked_source,
    judged_links.linked_id,
    judged_links.linked_incident_id,
    judged_links.verdict,
    joined.source as joined_source,
    joined.incident_id as joined_incident_id,
    counted.source as counted_source,
    counted.incident_id as counted_incident_id,
    list_filter(
        [
            case
                when (merged.opened_source, merged.opened_incident_id) = (joined.source, joined.incident_id)
                    then 'opened_at'
            end,
            case
                when (merged.acknowledged_source, merged.acknowledged_incident_id) = (joined.source, joined.incident_id)
                    then 'acknowledged_at'
            end,
            case
                when (merged.resolved_source, merged.resolved_incident_id) = (joined.source, joined.incident_id)
                    then 'resolved_at'
            end
        ],
        lambda field: field is not null
    ) as taken,
    merged.own_occurred_at,
    merged.own_opened_at,
    merged.own_assigned_at,
    merged.own_acknowledged_at,
    merged.own_acknowledgement_basis,
    merged.own_first_resolved_at,
    merged.own_resolved_at,
    merged.own_resolution_basis
from judged_links
join store.link_rules as rules
    on judged_links.rule = rules.place
left join families
    on judged_links.joined_key = families.key
    and judged_links.verdict = 'joined'
left join standing as joined
    on families.key = joined.key
left join standing as counted
    on families.counted_key = counted.key
left join merged_clocks as merged
    on families.counted_key = merged.key;

-- What names several is joined with none: somebody has to look.
insert into data_issues by name
select distinct
    judged_links.source,
    judged_links.incident_id,
    'linked_to_several' as rule,
    rules.field,
    judged_links.linked_id as value,
    'Links tie it to several incidents that count, ' || judged_links.linked_source || ' ' || judged_links.linked_id
        || ' among them: it was joined with none' as message
from judged_links
join store.link_rules as rules
    on judged_links.rule = rules.place
where judged_links.verdict = 'ambiguous';
