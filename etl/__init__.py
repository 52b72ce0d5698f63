"""Incidents in, trustworthy KPIs out: the pipeline from exports to the published warehouse."""
