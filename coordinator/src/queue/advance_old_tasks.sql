-- A normal task that has waited for 15 minutes, or a bulk task for 30, goes to the front class of its project.
update task
set priority = 0
where state = 'ready' and priority > 0 and ready_time < now() - interval '15 minutes' * priority
