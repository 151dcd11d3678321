"""Ad-hoc payments: who has no contract pays for one session, from the hold on his card to the capture of what it came to."""
