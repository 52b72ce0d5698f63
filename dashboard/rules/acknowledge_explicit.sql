-- measure: acknowledge
-- title:   Explicit only
-- source:  Multitudes, Mean Time to Acknowledge, docs.multitudes.com (for Opsgenie and PagerDuty): first triggered to first acknowledged event
-- What nobody acknowledged in so many words is left out.
select
    i.key,
    i.seconds_to_acknowledge as value
from chosen as i
where i.acknowledgement_basis = 'reported'
    and i.seconds_to_acknowledge is not null;
