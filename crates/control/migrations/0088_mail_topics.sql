-- What an account is mailed of, now also its firewalls, names that lead back, private networks, and that a solution of its own was taken over.
create or replace function mail_topic(p_kind text, p_data jsonb) returns text
language sql immutable set search_path = public, pg_temp as $$
    select case
        when p_kind in ('measure.decided', 'measure.taken', 'measure.lifted', 'measure.ended', 'complaint.made', 'complaint.answered') then 'decisions'
        when p_kind in ('grant.given', 'grant.broken', 'grant.used', 'token.created', 'token.revoked', 'webhook.created', 'webhook.changed',
                        'webhook.deleted', 'member.rescued') then 'access'
        when p_kind in ('order.done', 'order.failed') and p_data->>'verb' in ('back-up', 'prove', 'backup-read') then null
        when p_kind = 'backup.failed' and (p_data->>'again')::boolean then null
        when p_kind in ('solution.trouble', 'update.rolled-back', 'log.broken', 'volume.filling', 'volume.full', 'volume.room', 'wish.refused',
                        'order.failed', 'webhook.failed', 'backup.failed', 'backup.missing', 'proof.failed', 'snapshot-schedule.missed') then 'trouble'
        when p_kind in ('solution.deleted', 'solution.undone', 'solution.buried', 'solution.key-destroyed') then 'deletion'
        when p_kind in ('solution.created', 'solution.changed', 'solution.started', 'solution.stopped', 'credential.changed', 'update.held',
                        'backup-plan.changed', 'snapshot-schedule.changed', 'firewall.created', 'firewall.changed', 'firewall.deleted', 'address.named',
                        'network.created', 'network.changed', 'network.deleted', 'solution.taken-over') then 'work'
        -- The daily one is no news.
        when p_kind = 'backup.ready' and p_data->>'reason' is distinct from 'daily' then 'work'
        -- A solution that wakes and sleeps is no news.
        when p_kind = 'order.done' and coalesce(p_data->>'verb', '') not in ('wake', 'sleep') then 'work'
        when p_kind like 'subscription.%' or p_kind = 'payment.entered' then 'money'
        when p_kind in ('member.invited', 'member.changed', 'member.removed', 'account.changed') then 'members'
        when p_kind in ('rules.published', 'rules.accepted') then 'rules'
    end
$$;
