"""Webhooks: events of the journal, sent to the receivers of the settings and of single tasks."""
