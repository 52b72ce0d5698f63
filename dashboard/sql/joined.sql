-- One row: incidents that count no more because another tool's incident counts for both, and links that join nothing.
select
    count(distinct (joined_source, joined_incident_id)) filter (where verdict = 'joined') as joined,
    count(*) filter (where verdict = 'missing') as missing,
    count(*) filter (where verdict = 'ambiguous') as ambiguous,
    count(*) as links
from main.incident_links;
